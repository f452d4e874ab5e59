package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readOwn reads the configuration files of a folder, by the name of the server each is for. It leaves what is
// in them to the servers, and refuses files that are for nobody.
func readOwn(folder string) (map[string]object, error) {
	own := map[string]object{}
	if folder == "" {
		return own, nil
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("-config: %w", err)
	}
	for _, f := range files {
		name, isJSON := strings.CutSuffix(f.Name(), ".json")
		if !isJSON {
			continue
		}
		if !slices.Contains(servers, name) {
			return nil, fmt.Errorf("-config: %s is for none of %s", f.Name(), strings.Join(servers, ", "))
		}
		if own[name], err = readObject(filepath.Join(folder, f.Name())); err != nil {
			return nil, fmt.Errorf("-config: %w", err)
		}
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("-config: %w: %s holds none of %s.json", fs.ErrNotExist, folder, strings.Join(servers, ".json, "))
	}
	return own, nil
}

func readObject(path string) (object, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // as they are written
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if d.More() || o == nil {
		return nil, errors.New(path + ": must be one JSON object")
	}
	return o, nil
}

// merged is somebody's own configuration with that of the walk-through: lists hold both, the own entries
// first; of everything else the own counts.
func merged(own, built any) any {
	switch o := own.(type) {
	case map[string]any:
		b, ok := built.(map[string]any)
		if !ok {
			return own
		}
		all := object{}
		for name, v := range b {
			all[name] = v
		}
		for name, v := range o {
			all[name] = merged(v, b[name])
		}
		return all
	case []any:
		b, _ := built.([]any)
		return slices.Concat(o, b)
	}
	return own
}
