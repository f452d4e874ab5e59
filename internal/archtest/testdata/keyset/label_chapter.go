package keyset

// rules of chapter 12
const chapter = 1
