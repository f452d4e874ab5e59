package keyset

// Section follows idporten section 12.4.
const Section = 1
