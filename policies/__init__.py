"""The policy pack: rules are pure functions over plain data, one file a topic.

`pulumi preview --policy-pack policies` runs them in the engine, `python -m policies check` over files.
"""
