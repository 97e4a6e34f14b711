"""Planning: what a deployment is going to do, decided before anything is changed."""
