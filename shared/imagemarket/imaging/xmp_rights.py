"""Who made a picture and where its licence can be had, as XMP that search engines and picture editors read."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

CREDITED_AS = "imagemarket"
"""Whom a credit line names beside the picture's maker."""


@dataclass(frozen=True)
class Rights:
    """What a rendition says of its rights, and all that it says."""

    creator: str
    """The contributor's public name."""
    credit: str
    """The line to print beside the picture."""
    terms_url: str
    """Where it stands what the licences allow."""
    page_url: str
    """The picture's own page, where a licence can be had."""

    @classmethod
    def of(cls, creator: str, image_id: UUID, *, base_url: str) -> Rights:
        """Those of an image, whose pages lie below `base_url` (without a trailing slash)."""
        return cls(
            creator=creator,
            credit=f"{creator} / {CREDITED_AS}",
            terms_url=f"{base_url}/terms",
            page_url=f"{base_url}/images/{image_id}",
        )

    @property
    def notice(self) -> str:
        """The copyright notice."""
        return f"© {self.creator}"

    def xmp(self) -> bytes:
        """An XMP packet (ISO 16684-1) with the properties of IPTC Photo Metadata that mark a picture as licensable.

        `xmpRights:WebStatement` (the terms) and `plus:LicensorURL` (where a licence can be had) are what search
        engines ask for; no padding, since nobody
        edits a rendition in place.
        """
        statement = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
            ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmpRights:Marked="True"'
            f" xmpRights:WebStatement={_attribute(self.terms_url)} photoshop:Credit={_attribute(self.credit)}>"
            f"<dc:creator><rdf:Seq><rdf:li>{_text(self.creator)}</rdf:li></rdf:Seq></dc:creator>"
            f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{_text(self.notice)}</rdf:li></rdf:Alt>'
            "</dc:rights>"
            '<plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource">'
            f"<plus:LicensorURL>{_text(self.page_url)}</plus:LicensorURL></rdf:li></rdf:Seq></plus:Licensor>"
            "</rdf:Description></rdf:RDF></x:xmpmeta>"
        )
        return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{statement}<?xpacket end="r"?>'.encode()


def _clean(value: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(
        letter
        for letter in value
        if letter in "\t\n\r" or (letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff")
    )


def _text(value: str) -> str:
    return escape(_clean(value))


def _attribute(value: str) -> str:
    return quoteattr(_clean(value))
