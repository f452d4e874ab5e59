package keyset

// D10: five at most
const bare = 1
