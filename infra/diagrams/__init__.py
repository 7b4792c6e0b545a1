"""The diagrams of docs/: Graphviz sources in docs/diagrams/*.dot, rendered beside them as SVG."""
