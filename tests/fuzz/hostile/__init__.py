"""The fuzz targets. Each checks promises, not only that nothing is raised."""
