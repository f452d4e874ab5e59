package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unpacked is an archive that was read as an engine reads it, with the rules of the OCI image specification 1.1.
type unpacked struct {
	files map[string][]byte
}

// read reads an archive. It fails if the archive has anything of the machine that made it: times, users, an order that depends on a map.
func read(t *testing.T, archive []byte) unpacked {
	t.Helper()
	u := unpacked{map[string][]byte{}}
	for _, f := range entries(t, archive) {
		u.files[f.header.Name] = f.body
	}
	var l struct{ ImageLayoutVersion string }
	u.document(t, "oci-layout", &l)
	require.Equal(t, "1.0.0", l.ImageLayoutVersion, "image-layout.md: the version of the layout")
	for name, content := range u.files {
		if sum, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && sum != "" {
			require.Equal(t, sum, hash(content), "image-layout.md: the name of a blob is its digest")
		}
	}
	return u
}

type file struct {
	header *tar.Header
	body   []byte
}

func entries(t *testing.T, archive []byte) (list []file) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(h.Name), h.Name)
		require.Zero(t, h.ModTime.Unix(), "%s: a fixed time", h.Name)
		require.Empty(t, h.Uname+h.Gname, "%s: no names of users", h.Name)
		require.Empty(t, h.PAXRecords, h.Name)
		require.Contains(t, []int{0, uid}, h.Uid, h.Name)
		require.Equal(t, h.Uid, h.Gid, h.Name)
		if n := len(list); n > 0 {
			require.Less(t, list[n-1].header.Name, h.Name, "sorted, each name once")
		}
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		list = append(list, file{h, body})
	}
}

func hash(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func (u unpacked) document(t *testing.T, name string, v any) {
	t.Helper()
	require.Contains(t, u.files, name)
	require.NoError(t, json.Unmarshal(u.files[name], v), name)
}

// content is a descriptor as an engine reads it.
type content struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ OS, Architecture, Variant string }
	Annotations       map[string]string
}

// blob returns the content that a descriptor denotes.
func (u unpacked) blob(t *testing.T, d content, mediaType string) []byte {
	t.Helper()
	require.Equal(t, mediaType, d.MediaType)
	require.Regexp(t, regexp.MustCompile(`^sha256:[0-9a-f]{64}$`), d.Digest, "descriptor.md: the grammar of a digest")
	body, ok := u.files["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	require.True(t, ok, "no blob %s", d.Digest)
	require.Len(t, body, d.Size, "descriptor.md: size")
	return body
}

// tree is the image of a platform.
type tree struct {
	OS, Architecture string
	Config           struct {
		User, WorkingDir, StopSignal string
		ExposedPorts, Volumes        map[string]struct{}
		Env, Entrypoint, Cmd         []string
		Labels                       map[string]string
	}
	RootFS struct {
		Type    string
		DiffIDs []string `json:"diff_ids"`
	}
	History []struct {
		EmptyLayer bool `json:"empty_layer"`
	}
	layers [][]byte // uncompressed
	size   int      // of what an engine fetches
}

// images follows index.json to the image of every platform.
func (u unpacked) images(t *testing.T, tag string) map[string]tree {
	t.Helper()
	type document struct {
		SchemaVersion     int
		MediaType         string
		Manifests, Layers []content
		Config            content
	}
	var top, platforms document
	u.document(t, "index.json", &top)
	require.Equal(t, 2, top.SchemaVersion)
	require.Len(t, top.Manifests, 1)
	require.Equal(t, tag, top.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	require.NoError(t, json.Unmarshal(u.blob(t, top.Manifests[0], "application/vnd.oci.image.index.v1+json"), &platforms))
	require.Equal(t, 2, platforms.SchemaVersion)
	require.Equal(t, top.Manifests[0].MediaType, platforms.MediaType, "image-index.md: mediaType matches that of the descriptor")
	images := map[string]tree{}
	for _, d := range platforms.Manifests {
		var m document
		require.NoError(t, json.Unmarshal(u.blob(t, d, "application/vnd.oci.image.manifest.v1+json"), &m))
		require.Equal(t, 2, m.SchemaVersion)
		require.Equal(t, d.MediaType, m.MediaType, "manifest.md: mediaType matches that of the descriptor")
		i := tree{size: d.Size + m.Config.Size}
		require.NoError(t, json.Unmarshal(u.blob(t, m.Config, "application/vnd.oci.image.config.v1+json"), &i))
		require.Equal(t, d.Platform.OS, i.OS)
		require.Equal(t, d.Platform.Architecture, i.Architecture)
		require.Equal(t, "layers", i.RootFS.Type)
		require.Len(t, i.RootFS.DiffIDs, len(m.Layers), "config.md: one diff_id for each layer, in their order")
		require.Len(t, i.History, len(m.Layers), "config.md: one history element for each layer that is not empty")
		for n, l := range m.Layers {
			plain := expand(t, u.blob(t, l, "application/vnd.oci.image.layer.v1.tar+gzip"))
			require.Equal(t, i.RootFS.DiffIDs[n], "sha256:"+hash(plain), "config.md: the diff_id is the digest of the uncompressed layer")
			i.layers, i.size = append(i.layers, plain), i.size+l.Size
		}
		images[i.OS+"/"+i.Architecture] = i
	}
	return images
}

func expand(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	require.Zero(t, r.ModTime)
	require.Empty(t, r.Name)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return plain
}

// extract writes the files of an image into a folder. Owners are set if the test may do so.
func (i tree) extract(t *testing.T, dir string) {
	t.Helper()
	for _, layer := range i.layers {
		for _, f := range entries(t, layer) {
			name := filepath.Join(dir, f.header.Name)
			if f.header.Typeflag == tar.TypeDir {
				require.NoError(t, os.MkdirAll(name, 0o755))
			} else {
				require.NoError(t, os.WriteFile(name, f.body, 0o600))
			}
			if os.Geteuid() == 0 {
				require.NoError(t, os.Chown(name, f.header.Uid, f.header.Gid))
			}
			require.NoError(t, os.Chmod(name, f.header.FileInfo().Mode()))
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	programs := []image{
		{platform{"linux", "amd64"}, []byte("a program for amd64"), []byte("terms")},
		{platform{"linux", "arm64"}, []byte("a program for arm64"), []byte("terms")},
	}
	archive, sum, err := pack("portner:1.2.3", programs)
	require.NoError(t, err)
	u := read(t, archive)
	images := u.images(t, "1.2.3")
	require.Len(t, images, 2)

	t.Run("the same bytes for the same programs", func(t *testing.T) {
		t.Parallel()
		again, same, err := pack("portner:1.2.3", programs)
		require.NoError(t, err)
		require.Equal(t, sum, same)
		require.True(t, bytes.Equal(archive, again))
	})
	t.Run("another digest for another program", func(t *testing.T) {
		t.Parallel()
		changed := slices.Clone(programs)
		changed[1].program = []byte("another program")
		_, other, err := pack("portner:1.2.3", changed)
		require.NoError(t, err)
		require.NotEqual(t, sum, other)
	})
	t.Run("each platform has its program, the rest is shared", func(t *testing.T) {
		t.Parallel()
		amd, arm := images["linux/amd64"], images["linux/arm64"]
		require.Equal(t, amd.layers[0], arm.layers[0])
		for _, i := range []tree{amd, arm} {
			dir := t.TempDir()
			i.extract(t, dir)
			program, err := os.ReadFile(filepath.Join(dir, "portner"))
			require.NoError(t, err)
			require.Equal(t, "a program for "+i.Architecture, string(program))
		}
	})
	t.Run("what the program needs, and no root", func(t *testing.T) {
		t.Parallel()
		i := images["linux/amd64"]
		require.Equal(t, "65532:65532", i.Config.User)
		require.Equal(t, []string{"/portner"}, i.Config.Entrypoint)
		require.Contains(t, i.Config.ExposedPorts, "8080/tcp")
		require.Equal(t, "Apache-2.0", i.Config.Labels["org.opencontainers.image.licenses"])
		modes := map[string]string{}
		for _, f := range slices.Concat(entries(t, i.layers[0]), entries(t, i.layers[1])) {
			modes[f.header.Name] = f.header.FileInfo().Mode().String()
			require.Equal(t, f.header.Name == "data/", f.header.Uid == uid, "%s: the program can write nowhere but in its folder", f.header.Name)
		}
		require.Equal(t, "drwx------", modes["data/"])
		require.Equal(t, "dtrwxrwxrwx", modes["tmp/"])
		require.Equal(t, "-rwxr-xr-x", modes["portner"])
		require.Equal(t, "-rw-r--r--", modes["etc/passwd"])
	})
	t.Run("docker load finds the image of the first platform", func(t *testing.T) {
		t.Parallel()
		var list []struct {
			Config           string
			RepoTags, Layers []string
		}
		u.document(t, "manifest.json", &list)
		require.Len(t, list, 1)
		require.Equal(t, []string{"portner:1.2.3"}, list[0].RepoTags)
		require.Contains(t, string(u.files[list[0].Config]), `"architecture":"amd64"`)
		for n, l := range list[0].Layers {
			require.Equal(t, images["linux/amd64"].layers[n], expand(t, u.files[l]))
		}
	})
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "linux", "amd64", "linux/", "linux/386", "windows/amd64", "linux/amd64/v2", " linux/amd64"} {
		_, err := parsePlatform(text)
		require.ErrorContains(t, err, "-platforms", text)
	}
}
