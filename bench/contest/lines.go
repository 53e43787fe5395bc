package contest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Results are what commands have come to, as they are kept: a JSON object a line,
// whose member "what" tells which of these it is.
type Results struct {
	Runs      []Result
	Latencies []Latency
	Restores  []Restored
	Crashes   []Crashed
}

// Line returns a result as a line of JSON.
func Line(result any) ([]byte, error) {
	var what string
	switch result.(type) {
	case *Result:
		what = "run"
	case *Latency:
		what = "latency"
	case *Restored:
		what = "restore"
	case *Crashed:
		what = "crash"
	case *Pause:
		what = "pause"
	default:
		return nil, fmt.Errorf("a %T is no result", result)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("encoding a result: %w", err)
	}
	return fmt.Appendf(nil, "{\"what\":%q,%s\n", what, text[1:]), nil
}

// Read adds the results of some lines.
func (r *Results) Read(in io.Reader) error {
	lines := json.NewDecoder(in)
	for n := 1; ; n++ {
		var line json.RawMessage
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading result %d: %w", n, err)
		}
		if err := r.add(line); err != nil {
			return fmt.Errorf("reading result %d: %w", n, err)
		}
	}
}

func (r *Results) add(line []byte) error {
	var kind struct{ What string }
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	switch kind.What {
	case "run":
		return appendTo(&r.Runs, line)
	case "latency":
		return appendTo(&r.Latencies, line)
	case "restore":
		return appendTo(&r.Restores, line)
	case "crash":
		return appendTo(&r.Crashes, line)
	case "pause": // nothing is drawn of these
		return nil
	}
	return fmt.Errorf("there is no result %q", kind.What)
}

func appendTo[T any](all *[]T, line []byte) error {
	var one T
	if err := json.Unmarshal(line, &one); err != nil {
		return err
	}
	*all = append(*all, one)
	return nil
}
