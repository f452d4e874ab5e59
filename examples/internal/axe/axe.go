// Package axe finds axe-core, with which the tests check the accessibility of the pages. It is no part of this repository: the program
// in the folder install installs the pinned version from the npm registry into the user's cache.
package axe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The pinned version and the SHA-256 of its axe.min.js.
const (
	version = "4.14.1"
	sum     = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

// CacheVariable names the environment variable with the folder of installed files. The default is portner in the user's cache.
const CacheVariable = "PORTNER_CACHE"

// folder returns the folder of the installed version.
func folder() (string, error) {
	cache := os.Getenv(CacheVariable)
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "portner")
	}
	return filepath.Join(cache, "axe-core-"+version), nil
}

// Source returns the script. The error wraps fs.ErrNotExist if axe-core is not installed.
func Source() (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core: %w (go run ./internal/axe/install in examples/ installs it)", err)
	}
	if got := sha256.Sum256(script); hex.EncodeToString(got[:]) != sum {
		return "", fmt.Errorf("axe-core: the SHA-256 of axe.min.js is %x, not the pinned %s", got, sum)
	}
	return string(script), nil
}

// Install installs the pinned version with npm, without running scripts of the package, and verifies it.
func Install() error {
	if _, err := Source(); err == nil {
		return nil
	}
	dir, err := folder()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	npm := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", dir, "axe-core@"+version)
	npm.Stdout, npm.Stderr = os.Stderr, os.Stderr
	if err := npm.Run(); err != nil {
		return fmt.Errorf("npm: %w", err)
	}
	_, err = Source()
	return err
}
