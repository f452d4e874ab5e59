package keyset

// Document follows docs/spec/idporten.md §12.4, which godoc cannot show.
const Document = 1
