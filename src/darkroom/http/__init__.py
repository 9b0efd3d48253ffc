"""The HTTP contract, once, for both deployments: routes over ``Service``, problems, and delivery in front of them."""
