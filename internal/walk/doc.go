// Package walk drives whole providers through random sequences of requests and compares every response with a reference model of
// who may know and do what. The model shares no code with the provider. The package has tests only.
package walk
