"""The policy pack: rules are pure functions over plain data, grouped by topic.

`pulumi preview --policy-pack policies` runs them in the engine.
"""
