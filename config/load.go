package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads the configuration file at path and the environment over it. An
// empty path stands for no file: the defaults and the environment. Relative
// paths in it start at the file's folder, or at the working directory where
// there is no file. Every error is a [Problems].
func Load(path string) (*Config, error) {
	if path == "" {
		return Parse("", nil, os.LookupEnv)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Message: unreadable(err)}}
	}
	return Parse(path, data, os.LookupEnv)
}

func unreadable(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "no such configuration file; check the path"
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return "reading the configuration file: " + err.Error() + "; check that it is a file and may be read"
}

// Parse reads data as the content of the configuration file called name, and
// the environment over it, in which env looks up a variable. Relative paths
// start at the folder of name. Every error is a [Problems].
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	r := reader{file: name, env: env, places: map[string]place{}, config: defaults()}
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		r.problem(place{file: name}, "finding the working directory: %v", err)
		return nil, r.problems
	}
	r.folder = folder

	settings := r.settings()
	overridden := r.override(settings)
	if root := r.document(data); root != nil {
		r.section(root, "", settings, overridden)
	}
	r.complete()
	r.check()
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	return r.config, nil
}

// absolute returns a path of the configuration as one from the root.
func (r *reader) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.folder, path)
}
