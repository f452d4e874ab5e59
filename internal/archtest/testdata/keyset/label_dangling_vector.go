package keyset

// the vector MV9
const danglingVector = 1
