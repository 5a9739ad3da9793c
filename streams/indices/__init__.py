"""Air-quality indices as declared tables, and the one function that reads them."""

from streams.indices.america import US_AQI, US_AQI_2012
from streams.indices.china import CN_AQI, CN_AQI_2012
from streams.indices.india import IN_NAQI
from streams.indices.korea import KR_CAI
from streams.indices.standard import Average, Bank, Beyond, Category, Column, Rounding, Standard
from streams.indices.vietnam import VN_AQI

STANDARDS: dict[str, Standard] = {
    standard.code: standard for standard in (VN_AQI, US_AQI, US_AQI_2012, CN_AQI, CN_AQI_2012, IN_NAQI, KR_CAI)
}

__all__ = ["STANDARDS", "Average", "Bank", "Beyond", "Category", "Column", "Rounding", "Standard"]
