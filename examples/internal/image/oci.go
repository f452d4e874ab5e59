package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Media types of the OCI image specification 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// image is the program of a platform.
type image struct {
	platform platform
	program  []byte
	notices  []byte // licences of what is compiled into the program
}

// The documents of an archive, with the members that are used here (OCI image-spec: image-layout.md, image-index.md, manifest.md, config.md,
// descriptor.md).
type (
	layout struct {
		Version string `json:"imageLayoutVersion"`
	}
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *ociPlatform      `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	ociPlatform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Variant      string `json:"variant,omitempty"`
	}
	index struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}
	manifest struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	imageConfig struct {
		ociPlatform
		Created time.Time `json:"created"`
		Config  execution `json:"config"`
		RootFS  rootFS    `json:"rootfs"`
		History []history `json:"history"`
	}
	execution struct {
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		WorkingDir   string              `json:"WorkingDir"`
		Labels       map[string]string   `json:"Labels"`
		StopSignal   string              `json:"StopSignal"`
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	history struct {
		Created   time.Time `json:"created"`
		CreatedBy string    `json:"created_by"`
	}
	// dockerImage is an element of manifest.json, which "docker load" reads where Docker has no store of OCI images.
	dockerImage struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

// labels describe the image (OCI image-spec, annotations.md).
var labels = map[string]string{
	"org.opencontainers.image.title":       "portner",
	"org.opencontainers.image.description": "Stand-ins for ID-porten, Ansattporten, Maskinporten, Altinn and HelseID, for development and test",
	"org.opencontainers.image.source":      "https://github.com/portner-go/portner",
	"org.opencontainers.image.licenses":    "Apache-2.0",
}

// blobs has the contents of an archive by digest.
type blobs map[string][]byte

// add stores a content and returns its descriptor.
func (b blobs) add(mediaType string, content []byte) descriptor {
	sum := digest(content)
	b[sum] = content
	return descriptor{MediaType: mediaType, Digest: sum, Size: len(content)}
}

// addJSON stores a document.
func (b blobs) addJSON(mediaType string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	return b.add(mediaType, text), err
}

// addLayer stores a layer. It returns its descriptor and the digest of its uncompressed form.
func (b blobs) addLayer(entries []entry) (d descriptor, diffID string, err error) {
	plain, err := archive(entries)
	if err != nil {
		return d, "", err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		return d, "", err
	}
	if err := w.Close(); err != nil {
		return d, "", err
	}
	return b.add(typeLayer, packed.Bytes()), digest(plain), nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// path returns where a blob is in an archive.
func path(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

// pack returns an OCI archive with the images under one name, and the digest of what the name denotes: an index of the platforms.
func pack(tag string, images []image) (out []byte, sum string, err error) {
	b := blobs{}
	top := index{SchemaVersion: 2, MediaType: typeIndex}
	var docker []dockerImage
	for _, i := range images {
		d, m, err := b.addImage(i)
		if err != nil {
			return nil, "", err
		}
		top.Manifests = append(top.Manifests, d)
		if docker == nil { // manifest.json has no platforms, so it has one image
			docker = []dockerImage{{Config: path(m.Config.Digest), RepoTags: []string{tag}, Layers: []string{path(m.Layers[0].Digest), path(m.Layers[1].Digest)}}}
		}
	}
	d, err := b.addJSON(typeIndex, top)
	if err != nil {
		return nil, "", err
	}
	_, version, _ := strings.Cut(tag, ":")
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": version, "io.containerd.image.name": "docker.io/library/" + tag}
	files := map[string]any{
		"oci-layout":    layout{Version: "1.0.0"},
		"index.json":    index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}},
		"manifest.json": docker,
	}
	out, err = b.archive(files)
	return out, d.Digest, err
}

// addImage stores the image of a platform.
func (b blobs) addImage(i image) (d descriptor, m manifest, err error) {
	files, err := base()
	if err != nil {
		return d, m, err
	}
	below, belowID, err := b.addLayer(files)
	if err != nil {
		return d, m, err
	}
	above, aboveID, err := b.addLayer([]entry{{name: "portner", mode: 0o755, body: i.program}, {name: "licenses/NOTICE", mode: 0o644, body: i.notices}})
	if err != nil {
		return d, m, err
	}
	p := ociPlatform{Architecture: i.platform.arch, OS: i.platform.os, Variant: variants[i.platform.arch]}
	c, err := b.addJSON(typeConfig, imageConfig{
		ociPlatform: p, Created: epoch,
		Config: execution{
			User: fmt.Sprintf("%d:%[1]d", uid), ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Env: []string{"PATH=/", "HOME=/data"},
			Entrypoint: []string{"/portner"}, WorkingDir: "/", Labels: labels, StopSignal: "SIGTERM",
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{belowID, aboveID}},
		History: []history{{epoch, "certificate authorities, users, folders"}, {epoch, "go build"}},
	})
	if err != nil {
		return d, m, err
	}
	m = manifest{SchemaVersion: 2, MediaType: typeManifest, Config: c, Layers: []descriptor{below, above}, Annotations: labels}
	d, err = b.addJSON(typeManifest, m)
	d.Platform = &p
	return d, m, err
}

// archive returns a tar archive of documents and blobs.
func (b blobs) archive(documents map[string]any) ([]byte, error) {
	entries := []entry{{name: "blobs/", mode: 0o755}, {name: "blobs/sha256/", mode: 0o755}}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		text, err := json.Marshal(documents[name])
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: name, mode: 0o644, body: text})
	}
	for sum, content := range b {
		entries = append(entries, entry{name: path(sum), mode: 0o644, body: content})
	}
	return archive(entries)
}
