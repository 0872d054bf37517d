package docs

// keys stands for the package that declares the service's keyspace.
var keys struct{ Root *nest.ClusterDef }
