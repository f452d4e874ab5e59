package authorize

// allPrompts are the prompt values there are (OpenID Connect Core section 3.1.2.1).
var allPrompts = []string{"none", "login", "consent", "select_account"}
