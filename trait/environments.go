package trait

// watchedTraits bounds the traits that Environments remembers.
const watchedTraits = 10_000

// Environments finds a trait that is fed by several environments, which is most
// often a mistake: a user's treatment in staging then overwrites that in
// production. It serves one goroutine.
type Environments struct {
	first map[string]string // by trait
	found bool
}

// NewEnvironments returns one that has seen nothing.
func NewEnvironments() *Environments { return &Environments{first: map[string]string{}} }

// Saw takes note that a definition's trait was fed from an environment, by its
// name, and returns the two environments when they are the first that meet in
// one trait. Definitions whose names tell the environment are no mistake.
func (e *Environments) Saw(trait, environment []byte) (one, other string, found bool) {
	if e.found || environment == nil {
		return "", "", false
	}
	before, ok := e.first[string(trait)]
	switch {
	case !ok && len(e.first) < watchedTraits:
		e.first[string(trait)] = string(environment)
	case ok && before != string(environment):
		e.found, e.first = true, nil
		return before, string(environment), true
	}
	return "", "", false
}

// MixedEnvironments says what Saw has found, and how to tell the two apart.
func MixedEnvironments(one, other string) string {
	return "one trait is fed by the environments " + one + " and " + other + ": " +
		"if that is not meant, give its definition the condition `where: {environmentName: " + one + "}`, " +
		"or put {environmentName} into its name"
}
