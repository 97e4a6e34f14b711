"""The report's page: what happened in a deployment, as one HTML file without scripts."""
