package impression

// shape is a Format as the decoder tells it.
type shape uint8

const (
	sniffed shape = iota
	segment
	flat // webhook, concept page, export
	listener
	synchronizer
	bulk
	unknown
)

// shapeOf returns the shape that a format prescribes.
func shapeOf(f Format) shape {
	switch f {
	case Segment:
		return segment
	case SplitWebhook, SplitExport, Avro:
		return flat
	case SplitListener:
		return listener
	case SplitSynchronizer:
		return synchronizer
	case SplitBulk:
		return bulk
	}
	return sniffed
}

// The names by which shapes are told apart.
var (
	bulkNames    = setOf(nF, nI)
	segmentNames = setOf(nType, nEvent)
	exportNames  = setOf(nSplitName, nSplitVersion, nReceptionTimestamp)
	flagNames    = setOf(nSplit, nFeature)
	webhookNames = setOf(nTreatment, nTime)
)

// sniff tells an object's shape by the first names that it has.
func sniff(seen names) shape {
	switch {
	case seen.has(nImpression):
		return listener
	case seen.has(nImpressions):
		return synchronizer
	case seen&bulkNames != 0:
		return bulk
	case seen&segmentNames != 0:
		return segment
	case seen&(exportNames|flagNames) != 0:
		return flat
	case seen.has(nKey) && seen&webhookNames != 0:
		return flat
	}
	return unknown
}

// fits tells whether an object has the names without which it cannot be of the
// shape.
func (s shape) fits(seen names) bool {
	switch s {
	case listener:
		return seen.has(nImpression)
	case synchronizer:
		return seen.has(nImpressions) || seen.has(nKeyImpressions)
	case bulk:
		return seen&bulkNames != 0
	}
	return s != unknown
}

// object decodes the element or group that was scanned into top, and returns its
// shape.
func (d *Decoder) object(alone bool) shape {
	o := &d.top
	sh := d.shape
	if sh == sniffed {
		sh = sniff(o.seen)
	}
	own := raw{value: d.value, start: o.start, end: o.end, alone: alone}
	if !sh.fits(o.seen) {
		message := "an object of no known shape"
		if sh != unknown {
			message = "not of the shape " + string(d.source.Format)
		}
		d.add(own).refuse(UnknownShape, message)
		return unknown
	}
	switch sh {
	case segment:
		d.segment(d.add(own))
	case flat:
		d.flat(d.add(own), o, &flatAliases)
	case listener:
		d.listener(d.add(own))
	case synchronizer:
		d.synchronizer(own)
	case bulk:
		d.bulk(own)
	}
	return sh
}
