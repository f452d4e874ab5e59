package keyset

import "os"

// WithLink replaces os.Link and writes without waiting for the disk.
func (d Directory) WithLink(link func(oldName, newName string) error) Directory {
	d.link, d.sync = link, func(*os.File) error { return nil }
	return d
}

// TempPrefix begins the names of files that are being written.
const TempPrefix = tempPrefix

// KeysOf returns the keys of a set.
func KeysOf(s *Set) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// ParseKeyFile parses the text of a file of a directory.
func ParseKeyFile(text []byte) (Key, error) {
	k, err := parseKeyFile(text)
	return k.key, err
}
