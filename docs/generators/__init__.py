"""One module a generated file: TARGET, its path under docs/, and generate(), its text."""
