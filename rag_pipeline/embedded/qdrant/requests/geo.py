"""Places on the earth from JSON; the engine checks degrees and that rings are closed."""

from __future__ import annotations

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.reading import array, known, number, required


def geo_point(value: object, *, of: str) -> edge.GeoPoint:
    """The point."""
    given = known(value, of=of)
    lon, lat = (number(required(given, key, of=of), of=key) for key in ("lon", "lat"))
    return edge.GeoPoint(lon, lat)


def geo_radius(value: object) -> edge.GeoRadius:
    """The circle; its radius is in metres."""
    given = known(value, of="geo_radius")
    center = geo_point(required(given, "center", of="geo_radius"), of="center")
    return edge.GeoRadius(center, number(required(given, "radius", of="geo_radius"), of="radius"))


def geo_bounding_box(value: object) -> edge.GeoBoundingBox:
    """The rectangle; it crosses the date line when its left edge is east of its right one."""
    given = known(value, of="geo_bounding_box")
    corners = (required(given, key, of="geo_bounding_box") for key in ("top_left", "bottom_right"))
    top_left, bottom_right = (geo_point(corner, of="a corner") for corner in corners)
    return edge.GeoBoundingBox(top_left, bottom_right)


def geo_polygon(value: object) -> edge.GeoPolygon:
    """The polygon, with its holes."""
    given = known(value, of="geo_polygon")
    exterior = _ring(required(given, "exterior", of="geo_polygon"))
    return edge.GeoPolygon(exterior, [_ring(hole) for hole in array(given.get("interiors", []), of="interiors")])


def _ring(value: object) -> list[edge.GeoPoint]:
    given = known(value, of="a ring")
    points = array(required(given, "points", of="a ring"), of="points")
    return [geo_point(point, of="each of points") for point in points]
