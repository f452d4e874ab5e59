package jose

type Bare struct{}
