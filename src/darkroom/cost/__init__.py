"""What the AWS deployment costs in a month, item by item, from a workload in people's terms. Pure.

``prices`` is a file of data with a date; ``scenario`` says what people do and what the service does about it, each
number with its source; ``bill`` multiplies the two; ``levers`` change one thing at a time.
"""
