package docs

var Root = nest.Cluster("root")
