//go:build race

package provider_test

func init() { raceDetector = true }
