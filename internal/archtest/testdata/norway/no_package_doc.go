package norway

func parse() {}
