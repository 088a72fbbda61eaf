-- UCI Online Retail: order lines of a shop, 2010-12 to 2011-12.
CREATE TABLE :table (
    invoice_no text NOT NULL,
    stock_code text NOT NULL,
    description text,
    quantity integer NOT NULL,
    invoice_date timestamp NOT NULL,
    unit_price numeric(12,3) NOT NULL,
    customer_id integer,
    country text NOT NULL
) USING :method;
