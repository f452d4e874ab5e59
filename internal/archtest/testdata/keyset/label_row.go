package keyset

// row 7 of the table
const row = 1
