// Lets runtime.go declare functions whose bodies are elsewhere.
