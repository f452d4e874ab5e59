//go:build !unix

package standin

// onHangup does nothing: the system has no SIGHUP.
func onHangup(func(), func()) (end func()) { return func() {} }
