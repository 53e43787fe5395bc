package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (m *Main) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if m.format == "json" {
				return json.NewEncoder(m.Stdout).Encode(map[string]string{
					"version": version(), "go": goVersion(), "platform": platform,
				})
			}
			_, err := fmt.Fprintf(m.Stdout, "traitstream %s (%s, %s)\n", version(), goVersion(), platform)
			return err
		},
	}
}

// release is the version that a build names: -ldflags "-X main.release=1.2.3".
var release string

// version is the release's, that of the module, or else the commit that the
// binary was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func goVersion() string { return runtime.Version() }
