package docs

var root nest.Scope
