package landscape

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

// readOwn reads the configuration files of a folder and returns them by server. It rejects files of other names. The servers validate
// the contents.
func readOwn(folder string) (map[string]object, error) {
	own := map[string]object{}
	if folder == "" {
		return own, nil
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("-config: %s is a file: write the name of the folder with %s.json", folder, strings.Join(servers, ".json, "))
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
			return nil, fmt.Errorf("-config: %s is not the configuration of %s", f.Name(), strings.Join(servers, ", "))
		}
		if own[name], err = readObject(filepath.Join(folder, f.Name())); err != nil {
			return nil, fmt.Errorf("-config: %w", err)
		}
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("-config: %w: %s contains none of %s.json", fs.ErrNotExist, folder, strings.Join(servers, ".json, "))
	}
	return own, nil
}

func readObject(path string) (object, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // keep the text of numbers
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if d.More() || o == nil {
		return nil, errors.New(path + ": must be one JSON object")
	}
	return o, nil
}

// merged returns the configuration of a server: lists contain the entries of own and those of the stories; users and other members are
// those of own if present.
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
			all[name] = v
			if name != "users" {
				all[name] = merged(v, b[name])
			}
		}
		return all
	case []any:
		b, _ := built.([]any)
		return slices.Concat(o, b)
	}
	return own
}
