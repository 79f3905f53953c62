"""What flows, in which order: the graph, its rows, the source and the joins, cutting, timing, mixing and muxing."""
