package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"traitstream/config"
	"traitstream/processor"
	"traitstream/schemas"
)

func (m *Main) definitionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "definitions",
		Short: "Show the definitions in force and those before them, and go back",
		Long: "Shows the definitions in force, as `definitions list` does. Each change of them, by `apply` or a rollback, is a\n" +
			"generation with a number, from 0 for those of the first start.",
		Example: "  traitstream definitions history\n" +
			"  traitstream definitions show 0\n" +
			"  traitstream definitions rollback 0 --yes\n" +
			"  traitstream definitions cancel 3",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return m.definitions(c.Context(), m.listDefinitions) },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the definitions in force", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return m.definitions(c.Context(), m.listDefinitions) },
		},
		&cobra.Command{
			Use: "history", Short: "List all generations of the definitions", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return m.definitions(c.Context(), m.definitionsHistory) },
		},
		&cobra.Command{
			Use: "show [GENERATION]", Short: "Print definitions as the configuration has them; without a number those in force", Args: cobra.MaximumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				var number *uint32
				if len(args) > 0 {
					n, err := generationNumber(args[0])
					if err != nil {
						return err
					}
					number = &n
				}
				return m.definitions(c.Context(), func(all []schemas.Definitions) error { return m.showDefinitions(all, number) })
			},
		},
		m.rollbackCommand(),
		m.recoverCommand(),
		&cobra.Command{
			Use: "cancel GENERATION", Short: "Give up definitions that are being computed", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				number, err := generationNumber(args[0])
				if err != nil {
					return err
				}
				return m.cancelDefinitions(c.Context(), number)
			},
		})
	return c
}

func (m *Main) rollbackCommand() *cobra.Command {
	var o applyOptions
	c := &cobra.Command{
		Use: "rollback GENERATION", Short: "Put the definitions of an earlier generation in force again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			number, err := generationNumber(args[0])
			if err == nil {
				err = o.check()
			}
			if err != nil {
				return err
			}
			cfg, err := m.load()
			if err != nil {
				return err
			}
			return m.withJobs(c.Context(), cfg, func(a *jobsApp) error {
				all, err := a.jobs.Generations(c.Context())
				if err != nil {
					return err
				}
				d, err := generationOf(all, number)
				if err != nil {
					return err
				}
				next := *cfg
				if next.Traits, next.Set, err = parseGeneration(d); err != nil {
					return err
				}
				next.TraitsGiven = true
				if o.reason == "" {
					o.reason = fmt.Sprintf("rollback to generation %d", number)
				}
				return m.apply(c.Context(), a, &next, o)
			})
		},
	}
	o.flags(c)
	return c
}

// definitions calls fn with all generations.
func (m *Main) definitions(ctx context.Context, fn func([]schemas.Definitions) error) error {
	cfg, err := m.load()
	if err != nil {
		return err
	}
	return m.withJobs(ctx, cfg, func(a *jobsApp) error {
		all, err := a.jobs.Generations(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return errors.New("no definitions are in force yet; run puts those of its configuration in force")
		}
		return fn(all)
	})
}

// generationNumber reads the number of a generation.
func generationNumber(text string) (uint32, error) {
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, usage("%q is not the number of a generation; `traitstream definitions history` lists them", text)
	}
	return uint32(number), nil
}

// generationOf finds a generation, of which there is at least one, by its number.
func generationOf(all []schemas.Definitions, number uint32) (schemas.Definitions, error) {
	for _, d := range all {
		if d.Generation == number {
			return d, nil
		}
	}
	return schemas.Definitions{}, fmt.Errorf("there is no generation %d; the last one is %d (`traitstream definitions history` lists them)",
		number, all[len(all)-1].Generation)
}

// listDefinitions prints those in force.
func (m *Main) listDefinitions(all []schemas.Definitions) error {
	d, ok := processor.InForce(all)
	if !ok {
		return errors.New("no definitions are in force")
	}
	traits, _, err := parseGeneration(d)
	if err != nil {
		return err
	}
	if m.format == "json" {
		return m.printJSON(d)
	}
	if way, ok := onTheWay(all); ok {
		defer func() {
			fmt.Fprintf(m.Stderr, "generation %d is on its way (%s); the same `apply` watches it\n", way.Generation, stateWord(way, 0))
		}()
	}
	t := &table{}
	t.add("TRAIT", "PROPERTY", "NOT SERVED", "EXPIRES", "DESCRIPTION")
	for _, of := range traits {
		expires := "never"
		if of.ExpireAfter > 0 {
			expires = config.FormatDuration(of.ExpireAfter)
		}
		t.add(of.Name.String(), of.Property, of.NotServed.String(), expires, of.Description)
	}
	if _, err := fmt.Fprintf(m.Stdout, "generation %d, in force since %s\n\n", d.Generation, when(d.Changed)); err != nil {
		return err
	}
	return t.print(m.Stdout)
}

// printGeneration prints one as JSON, where another one is in force.
func (m *Main) printGeneration(d schemas.Definitions, inForce uint32) error {
	if stateWord(d, inForce) == replaced {
		d.State = replaced
	}
	return m.printJSON(d)
}

// definitionsHistory prints all generations.
func (m *Main) definitionsHistory(all []schemas.Definitions) error {
	current, _ := processor.InForce(all)
	t := &table{right: map[int]bool{0: true}}
	t.add("GENERATION", "STATE", "SINCE", "BY", "REASON")
	for _, d := range all {
		if m.format == "json" {
			if err := m.printGeneration(d, current.Generation); err != nil {
				return err
			}
			continue
		}
		t.add(strconv.FormatUint(uint64(d.Generation), 10), stateWord(d, current.Generation), when(d.Changed), d.By, d.Reason)
	}
	if m.format == "json" {
		return nil
	}
	return t.print(m.Stdout)
}

// showDefinitions prints a generation, by default the one in force, as the configuration
// has it.
func (m *Main) showDefinitions(all []schemas.Definitions, number *uint32) error {
	d, ok := processor.InForce(all)
	if number != nil {
		var err error
		if d, err = generationOf(all, *number); err != nil {
			return err
		}
	} else if !ok {
		return errors.New("no definitions are in force")
	}
	if m.format == "json" {
		current, _ := processor.InForce(all)
		return m.printGeneration(d, current.Generation)
	}
	var traits any
	if err := yaml.Unmarshal(d.Traits, &traits); err != nil {
		return fmt.Errorf("reading generation %d of the definitions: %w", d.Generation, err)
	}
	text, err := yaml.Marshal(map[string]any{"traits": traits})
	if err == nil {
		_, err = m.Stdout.Write(text)
	}
	return err
}

// cancelDefinitions gives a generation up.
func (m *Main) cancelDefinitions(ctx context.Context, number uint32) error {
	cfg, err := m.load()
	if err != nil {
		return err
	}
	return m.withJobs(ctx, cfg, func(a *jobsApp) error {
		all, err := a.jobs.Generations(ctx)
		if err != nil {
			return err
		}
		d, err := generationOf(all, number)
		if err != nil {
			return err
		}
		if d.State != schemas.DefinitionsPreparing {
			current, _ := processor.InForce(all)
			return fmt.Errorf("generation %d of the definitions is not being prepared: it is %s (`traitstream definitions history` lists all)",
				d.Generation, stateWord(d, current.Generation))
		}
		if err := a.jobs.Undefine(ctx, a.conn.options, d.Generation); err != nil {
			return err
		}
		fmt.Fprintf(m.Stderr, "generation %d is given up\n", d.Generation)
		return nil
	})
}
