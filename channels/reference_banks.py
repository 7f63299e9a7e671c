"""Banks as first shipped, edited in the back office from then on (see `reference`).

Ids: from BK0001 Chinese (the merchants' integrations know them), from BK0101 Thai, from BK0201 Vietnamese,
from BK0301 Indonesian.
Source: gateway-api.md, 7. Services and banks; public lists of bank codes of each country.
"""

from __future__ import annotations

# id, code, name, online banking
CNY = (
    ("BK0001", "CCB", "China Construction Bank", "https://www.ccb.com/"),
    ("BK0002", "ABC", "Agricultural Bank of China", "https://www.abchina.com/"),
    ("BK0003", "ICBC", "Industrial and Commercial Bank of China", "https://www.icbc.com.cn/"),
    ("BK0004", "BOC", "Bank of China", "https://www.boc.cn/"),
    ("BK0005", "CMBC", "China Minsheng Bank", "https://www.cmbc.com.cn/"),
    ("BK0006", "CMB", "China Merchants Bank", "https://www.cmbchina.com/"),
    ("BK0007", "CIB", "Industrial Bank", "https://www.cib.com.cn/"),
    ("BK0008", "BJBANK", "Bank of Beijing", "https://www.bankofbeijing.com.cn/"),
    ("BK0009", "COMM", "Bank of Communications", "https://www.bankcomm.com/"),
    ("BK0010", "CEB", "China Everbright Bank", "https://www.cebbank.com/"),
    ("BK0011", "SPABANK", "Ping An Bank", "https://bank.pingan.com/"),
    ("BK0012", "PSBC", "Postal Savings Bank of China", "https://www.psbc.com/"),
    ("BK0013", "CITIC", "China CITIC Bank", "https://www.citicbank.com/"),
    ("BK0014", "HXBANK", "Hua Xia Bank", "https://www.hxb.com.cn/"),
    ("BK0016", "SPDB", "Shanghai Pudong Development Bank", "https://www.spdb.com.cn/"),
    ("BK0017", "GDB", "China Guangfa Bank", "https://www.cgbchina.com.cn/"),
)

# code, name; numbered in this order, so new ones go to the end
THB = (
    ("BBL", "Bangkok Bank"),
    ("KBANK", "Kasikornbank"),
    ("KTB", "Krungthai Bank"),
    ("TTB", "TMBThanachart Bank"),
    ("SCB", "Siam Commercial Bank"),
    ("BAY", "Bank of Ayudhya (Krungsri)"),
    ("GSB", "Government Savings Bank"),
    ("CIMBT", "CIMB Thai Bank"),
    ("UOBT", "United Overseas Bank (Thai)"),
    ("KKP", "Kiatnakin Phatra Bank"),
    ("TISCO", "TISCO Bank"),
    ("LHB", "Land and Houses Bank"),
    ("BAAC", "Bank for Agriculture and Agricultural Cooperatives"),
    ("GHB", "Government Housing Bank"),
    ("ICBCT", "Industrial and Commercial Bank of China (Thai)"),
    ("SCBT", "Standard Chartered Bank (Thai)"),
    ("ISBT", "Islamic Bank of Thailand"),
    ("CITI", "Citibank (Bangkok)"),
    ("HSBC", "HSBC (Bangkok)"),
)

VND = (
    ("VCB", "Vietcombank"),
    ("TCB", "Techcombank"),
    ("BIDV", "Bank for Investment and Development of Vietnam"),
    ("ICB", "VietinBank"),
    ("VBA", "Agribank"),
    ("MB", "Military Commercial Bank"),
    ("ACB", "Asia Commercial Bank"),
    ("VPB", "VPBank"),
    ("TPB", "Tien Phong Bank"),
    ("STB", "Sacombank"),
    ("HDB", "HDBank"),
    ("VIB", "Vietnam International Bank"),
    ("SHB", "Saigon – Hanoi Bank"),
    ("EIB", "Eximbank"),
    ("MSB", "Vietnam Maritime Bank"),
    ("OCB", "Orient Commercial Bank"),
    ("SCB", "Saigon Commercial Bank"),
    ("SEAB", "SeABank"),
    ("LPB", "LPBank"),
    ("NAB", "Nam A Bank"),
    ("BAB", "Bac A Bank"),
    ("ABB", "An Binh Bank"),
    ("VAB", "Viet A Bank"),
    ("NCB", "National Citizen Bank"),
    ("KLB", "Kienlongbank"),
    ("PVCB", "PVcomBank"),
    ("VCCB", "Viet Capital Bank"),
    ("BVB", "BaoViet Bank"),
    ("PGB", "PGBank"),
    ("SGICB", "Saigonbank"),
    ("VIETBANK", "VietBank"),
    ("SHBVN", "Shinhan Bank Vietnam"),
)

IDR = (
    ("BCA", "Bank Central Asia"),
    ("BNI", "Bank Negara Indonesia"),
    ("BRI", "Bank Rakyat Indonesia"),
    ("MANDIRI", "Bank Mandiri"),
    ("BSI", "Bank Syariah Indonesia"),
    ("BTN", "Bank Tabungan Negara"),
    ("CIMB", "CIMB Niaga"),
    ("PERMATA", "Bank Permata"),
    ("DANAMON", "Bank Danamon"),
    ("PANIN", "Panin Bank"),
    ("MAYBANK", "Maybank Indonesia"),
    ("OCBC", "OCBC Indonesia"),
    ("MEGA", "Bank Mega"),
    ("SINARMAS", "Bank Sinarmas"),
    ("UOB", "UOB Indonesia"),
    ("DBS", "DBS Indonesia"),
    ("BTPN", "Bank BTPN"),
    ("JAGO", "Bank Jago"),
    ("SEABANK", "SeaBank Indonesia"),
    ("MUAMALAT", "Bank Muamalat"),
    ("BUKOPIN", "KB Bank"),
    ("BJB", "Bank BJB"),
    ("DKI", "Bank DKI"),
    ("HSBC", "HSBC Indonesia"),
)

_NUMBERED_FROM = (("THB", THB, 101), ("VND", VND, 201), ("IDR", IDR, 301))


def rows() -> list[tuple[str, str, str, str, str]]:
    """Return every bank as (id, code, name, currency, online banking)."""
    chinese = [(bank_id, code, name, "CNY", link) for bank_id, code, name, link in CNY]
    others = [
        (f"BK{number:04d}", code, name, currency, "")
        for currency, banks, first in _NUMBERED_FROM
        for number, (code, name) in enumerate(banks, start=first)
    ]
    return chinese + others
