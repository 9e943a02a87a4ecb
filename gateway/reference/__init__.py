"""Reference data: what official monitors, weather services, roads and railways say, fetched politely.

One row per source in `gateway.reference.sources`; each source's module builds requests and reads answers,
both pure; `gateway.reference.transport` alone touches the network.
"""
