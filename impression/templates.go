package impression

// templates are those that an object was scanned by last.
type templates struct {
	list            []*template      // the last one that fitted first
	spare           []*template      // to make others of
	matched, missed int              // since the last pause
	pause           int              // objects that are scanned without
	values          [maxValues]token // of the object that fitted last, by step
}

const (
	maxTemplates = 4
	// Where one in missedShare objects has a new structure, templates cost more
	// than they save, and are left alone for a while.
	fewMissed    = 64
	missedShare  = 8
	pauseObjects = 10_000
)

// match compares the object at i, and returns the template that fits, whose
// values are then noted, and the place after the object; or nil.
func (k *templates) match(data []byte, i int) (*template, int) {
	for n, t := range k.list {
		if end := t.fits(data, i, &k.values); end >= 0 {
			k.matched++
			if n > 0 {
				k.list[0], k.list[n] = t, k.list[0]
			}
			return t, end
		}
	}
	return nil, -1
}

// learn takes in an object that no template fitted, as o has noted it.
func (k *templates) learn(data []byte, o *object) {
	if k.pause > 0 {
		k.pause--
		return
	}
	for _, t := range k.list {
		if t.learn(data) {
			return
		}
	}
	if k.missed++; k.missed > fewMissed && k.missed > k.matched/missedShare {
		k.spare = append(k.spare, k.list...)
		k.list, k.matched, k.missed, k.pause = k.list[:0], 0, 0, pauseObjects
		return
	}
	k.add(data, o)
}

// add makes a template of an object, in place of the one that fitted longest ago
// where there are enough.
func (k *templates) add(data []byte, o *object) {
	if len(k.list) == maxTemplates {
		k.spare = append(k.spare, k.list[maxTemplates-1])
		k.list = k.list[:maxTemplates-1]
	}
	if len(k.spare) == 0 {
		k.spare = append(k.spare, new(template))
	}
	t := k.spare[len(k.spare)-1]
	if t.remake(data, o) {
		k.spare = k.spare[:len(k.spare)-1]
		k.list = append(k.list, t)
	}
}
