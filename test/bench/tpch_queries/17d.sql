-- Small-quantity-order revenue, the subquery written as a join
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly
  FROM lineitem, part,
       (SELECT l_partkey AS mean_part, 0.2 * avg(l_quantity) AS small
          FROM lineitem GROUP BY l_partkey) AS mean
 WHERE p_partkey = l_partkey
   AND p_brand = 'Brand#23'
   AND p_container = 'MED BOX'
   AND mean_part = p_partkey
   AND l_quantity < small;
