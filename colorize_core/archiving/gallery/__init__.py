"""HTML gallery of the results of an archive, and a picture of photographs before and after."""
