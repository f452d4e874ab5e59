package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/examples/internal/child"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// uid is the user and the group of the program. The image names them by number, so that an engine can verify that the user is not root.
const uid = 65532

// epoch is the time of every file and of the image.
var epoch = time.Unix(0, 0).UTC()

// entry is a file or, if its name ends with a slash, a folder.
type entry struct {
	name  string
	mode  int64
	owner int
	body  []byte
}

// base returns the files beside the program. They are the same on every platform.
func base() ([]entry, error) {
	root, err := child.Repository()
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	roots, err := authorities()
	if err != nil {
		return nil, err
	}
	return []entry{
		{name: "data/", mode: 0o700, owner: uid}, // for -store sqlite:/data/…
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, body: fmt.Appendf(nil, "root:x:0:\nportner:x:%d:\n", uid)},
		{name: "etc/passwd", mode: 0o644, body: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nportner:x:%d:%[1]d:portner:/data:/sbin/nologin\n", uid)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, body: roots},
		{name: "licenses/", mode: 0o755},
		{name: "licenses/LICENSE", mode: 0o644, body: license},
		{name: "tmp/", mode: 0o1777},
	}, nil
}

// authorities returns the certificate authorities of Mozilla's list, from the module golang.org/x/crypto/x509roots/fallback: go.sum fixes
// its bytes, and no machine needs a list of its own. Authorities that are trusted with a condition are left out, because a file of
// certificates cannot express it.
func authorities() ([]byte, error) {
	var out bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint != nil {
			continue
		}
		c, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
		fmt.Fprintf(&out, "# %s\n", c.Subject)
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// archive returns a tar archive of the entries, sorted by name.
func archive(entries []entry) ([]byte, error) {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.body)), ModTime: epoch, Format: tar.FormatUSTAR}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
