module lockstep-cluster/pause

go 1.25.0
