package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"traitstream/config"
	"traitstream/explorer"
	"traitstream/state"
)

func (m *Main) getCommand() *cobra.Command {
	var o lookupOptions
	c := &cobra.Command{
		Use:   "get USER [TRAIT]",
		Short: "Show a user's traits",
		Long: "Shows the traits that a user has, or one of them: value, when it was last seen, and of the last change flag,\n" +
			"environment and definition. With --format json an object a line, with all that explain tells.\n\n" + lookupHelp,
		Example: "  traitstream get user-1042\n" +
			"  traitstream get user-1042 new_checkout --format json\n" +
			"  traitstream get 5f0c77e2-8d1b --identity anonymous\n" +
			"  traitstream get user-1042 --at-rest=topic",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := o.check(args[0])
			if err == nil && len(args) == 2 {
				err = checkTrait(args[1])
			}
			if err != nil {
				return err
			}
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.get(c.Context(), cfg, &o, u, args[1:])
		},
	}
	o.flags(c)
	return c
}

func checkTrait(name string) error {
	if name == "" || len(name) > explorer.MaxTrait {
		return usage("a trait's name has 1 to %d bytes here", explorer.MaxTrait)
	}
	return nil
}

// get prints all traits that have a value, or the one that is named.
func (m *Main) get(ctx context.Context, cfg *config.Config, o *lookupOptions, u state.User, names []string) (err error) {
	place, err := m.openPlace(ctx, cfg, o, u)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.close()) }()
	if len(names) == 1 {
		one, err := place.one(ctx, names[0])
		if err != nil {
			return err
		}
		if one.Value == nil {
			return fmt.Errorf("%s has no trait %q: it is %s (explain tells more)", userText(u), names[0], standing(one.State))
		}
		return m.printTraits(&table{}, []explorer.Trait{*one})
	}
	return m.getAll(ctx, place, u)
}

func (m *Main) getAll(ctx context.Context, place lookupPlace, u state.User) error {
	var t table
	var behind *string
	found := 0
	for {
		user, err := place.all(ctx, behind)
		if err != nil {
			return err
		}
		traits := slices.DeleteFunc(user.Traits, func(t explorer.Trait) bool { return t.Value == nil })
		found += len(traits)
		if err := m.printTraits(&t, traits); err != nil {
			return err
		}
		if behind = user.Next; behind != nil {
			continue
		}
		switch {
		case found > 0:
			return nil
		case user.Forgotten != nil:
			return fmt.Errorf("%s was forgotten at %s, and has not been seen since", userText(u), momentText(user.Forgotten.At))
		}
		return fmt.Errorf("nothing is known of %s", userText(u))
	}
}

// userText names a user.
func userText(u state.User) string { return fmt.Sprintf("%s %q", u.Identity, u.ID) }

// printTraits prints rows of a table, or an object for each trait.
func (m *Main) printTraits(t *table, traits []explorer.Trait) error {
	if m.format == "json" {
		for i := range traits {
			if err := m.printJSON(&traits[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(traits) == 0 {
		return nil
	}
	t.rows = nil
	if t.widths == nil {
		t.add("TRAIT", "VALUE", "SEEN", "FLAG", "ENVIRONMENT", "DEFINITION")
	}
	for i := range traits {
		one := &traits[i]
		t.add(printable(one.Trait), textOf(one.Value), momentText(*one.SeenAt), orDash(one.Split), orDash(one.Environment), orDash(one.Definition))
	}
	return t.print(m.Stdout)
}

// momentText returns a time to the second.
func momentText(t explorer.Time) string { return moment(t.Time()) }

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return printable(*text)
}
