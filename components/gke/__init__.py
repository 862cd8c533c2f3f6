"""Components for Google Kubernetes Engine: what has to be there before the Agent Sandbox can be.

They declare Google Cloud resources with pulumi-gcp's classes. Each names its resources after itself,
so that a name in the console leads to a line of code.
"""
