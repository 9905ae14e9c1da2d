"""The HTML gallery of results, and a picture that shows photographs before and after."""
