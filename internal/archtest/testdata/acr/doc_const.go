package acr

const Bare = 1
