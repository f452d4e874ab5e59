package keyset

func TestEveryAnswerSaysWhatI1Says() {}
