// Command image writes a container image of the program portner as an OCI archive, without a container engine. docs/compose.md says how to
// load it.
//
//	go run ./examples/internal/image -o portner.tar
//
// The same sources and the same version of Go give the same bytes, on every machine and in every folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds the programs and writes the archive.
func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	name := fs.String("o", "portner.tar", "`file` to write")
	tag := fs.String("tag", "portner:latest", "`name` of the image in the archive")
	list := fs.String("platforms", "linux/amd64,linux/arm64", "`platforms` of the image, separated by commas")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	var images []image
	for text := range strings.SplitSeq(*list, ",") {
		p, err := parsePlatform(text)
		if err != nil {
			return err
		}
		program, err := build(ctx, p)
		if err != nil {
			return err
		}
		terms, err := notices(ctx, program)
		if err != nil {
			return err
		}
		images = append(images, image{platform: p, program: program, notices: terms})
	}
	archive, digest, err := pack(*tag, images)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*name, archive, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s, %s, %.1f MB\n%s\n", *name, *tag, *list, float64(len(archive))/1e6, digest)
	return err
}
